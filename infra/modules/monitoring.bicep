// What the controller says of itself: one log workspace, and Application Insights on it.
param location string
param tags object
param suffix string
param controllerPrincipalId string

var metricsPublisherRoleId = '3913510d-42f4-4e42-8a64-420c390055eb'

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-rollout-${suffix}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
    features: { disableLocalAuth: true }
  }
}

resource telemetry 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-rollout-${suffix}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logs.id
    DisableLocalAuth: true
  }
}

resource mayPublish 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(telemetry.id, controllerPrincipalId, metricsPublisherRoleId)
  scope: telemetry
  properties: {
    principalId: controllerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisherRoleId)
  }
}

output logsId string = logs.id
output telemetryConnection string = telemetry.properties.ConnectionString
