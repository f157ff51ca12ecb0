// Everything that one installation of rollout needs, around an existing Azure ML workspace.
targetScope = 'subscription'

@minLength(1)
@maxLength(32)
@description('Name of the installation: of its resource group, and of its tag on endpoints.')
param environmentName string

@description('Region of everything that is created; that of the workspace is the best one.')
param location string

@description('The existing Azure ML workspace whose endpoints are rolled out.')
param mlWorkspaceName string

@description('Resource group of that workspace, in this subscription.')
param mlResourceGroupName string

@description('Name of the workspace\'s Event Grid system topic, where it has one: Azure allows one.')
param mlWorkspaceTopicName string = ''

@description('Name of the resource group\'s Event Grid system topic, where it has one.')
param mlResourceGroupTopicName string = ''

@description('Who deploys, and may read the token of the API in the vault; azd tells it.')
param deployerId string

@secure()
@minLength(16)
@description('What callers of the HTTP API show; kept in the key vault.')
param apiToken string

@description('Object id of the Entra application that stands for the API; without it no alert is delivered.')
param apiAppObjectId string = ''

@description('Identifier URI of that application, such as api://rollout.')
param apiAppIdUri string = ''

@description('Client id of that application; callers sign in for it.')
param apiAppClientId string = ''

@description('Who is written to when the controller itself is not well; nobody where empty.')
param alertEmail string = ''

@allowed([512, 2048, 4096])
@description('Memory of one instance; its share of CPU grows with it.')
param instanceMemoryMB int = 2048

@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
@description('Copies of the state; not every region has zones.')
param storageSku string = 'Standard_LRS'

var suffix = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var queues = { steps: 'steps', events: 'events' }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  scope: group
  params: { location: location, tags: tags, suffix: suffix }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    controllerPrincipalId: identities.outputs.controllerPrincipalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    sku: storageSku
    controllerPrincipalId: identities.outputs.controllerPrincipalId
    senderPrincipalId: identities.outputs.senderPrincipalId
  }
}

module bus 'modules/servicebus.bicep' = {
  name: 'servicebus'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    stepsQueue: queues.steps
    eventsQueue: queues.events
    controllerPrincipalId: identities.outputs.controllerPrincipalId
    senderPrincipalId: identities.outputs.senderPrincipalId
  }
}

module vault 'modules/keyvault.bicep' = {
  name: 'keyvault'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    apiToken: apiToken
    deployerId: deployerId
    controllerPrincipalId: identities.outputs.controllerPrincipalId
  }
}

module endpoints 'modules/endpoints.bicep' = {
  name: 'rollout-endpoints-${suffix}'
  scope: resourceGroup(mlResourceGroupName)
  params: {
    workspaceName: mlWorkspaceName
    suffix: suffix
    controllerPrincipalId: identities.outputs.controllerPrincipalId
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    installation: environmentName
    workspaceId: endpoints.outputs.workspaceId
    identityId: identities.outputs.controllerId
    identityClientId: identities.outputs.controllerClientId
    storageName: storage.outputs.name
    packageContainerUrl: storage.outputs.packageContainerUrl
    serviceBusHost: bus.outputs.host
    stepsQueue: queues.steps
    eventsQueue: queues.events
    telemetryConnection: monitoring.outputs.telemetryConnection
    apiTokenUri: vault.outputs.apiTokenUri
    keyVaultUri: vault.outputs.uri
    apiAudiences: empty(apiAppIdUri) ? '' : '${apiAppIdUri},${apiAppClientId}'
    instanceMemoryMB: instanceMemoryMB
  }
}

module events 'modules/events.bicep' = {
  name: 'rollout-events-${suffix}'
  scope: resourceGroup(mlResourceGroupName)
  params: {
    workspaceName: mlWorkspaceName
    workspaceTopicName: empty(mlWorkspaceTopicName) ? 'rollout-models-${suffix}' : mlWorkspaceTopicName
    groupTopicName: empty(mlResourceGroupTopicName) ? 'rollout-changes-${suffix}' : mlResourceGroupTopicName
    suffix: suffix
    senderId: identities.outputs.senderId
    queueId: bus.outputs.eventsQueueId
    storageId: storage.outputs.id
    deadLetterContainer: storage.outputs.undeliveredContainer
  }
}

module expiries 'modules/expiries.bicep' = {
  name: 'expiries'
  scope: group
  params: {
    vaultName: vault.outputs.name
    tags: tags
    suffix: suffix
    senderId: identities.outputs.senderId
    queueId: bus.outputs.eventsQueueId
    storageId: storage.outputs.id
    deadLetterContainer: storage.outputs.undeliveredContainer
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    host: app.outputs.host
    apiAppObjectId: apiAppObjectId
    apiAppIdUri: apiAppIdUri
    alertEmail: alertEmail
    busId: bus.outputs.id
    logsId: monitoring.outputs.logsId
    stepsQueue: queues.steps
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_KEY_VAULT_NAME string = vault.outputs.name
output ROLLOUT_URL string = 'https://${app.outputs.host}'
output ALERT_ACTION_GROUP_ID string = alerts.outputs.actionGroupId
