// What the controller may do in the workspace: one role of our own, on that workspace alone.
param workspaceName string
param suffix string
param controllerPrincipalId string

resource workspace 'Microsoft.MachineLearningServices/workspaces@2024-10-01' existing = {
  name: workspaceName
}

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'rollout', suffix)
  properties: {
    roleName: 'Model rollout (${suffix})'
    description: 'Shift traffic between deployments of online endpoints, and read their metrics.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: [
          'Microsoft.MachineLearningServices/workspaces/read'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/listKeys/action'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/regenerateKeys/action'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/token/action'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/read'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/delete'
          'Microsoft.Insights/metrics/read'
          'Microsoft.Authorization/permissions/read'
        ]
        notActions: []
      }
    ]
  }
}

resource mayRollOut 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workspace.id, controllerPrincipalId, role.id)
  scope: workspace
  properties: {
    principalId: controllerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: role.id
  }
}

output workspaceId string = workspace.id
