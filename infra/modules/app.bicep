// The function app. All its settings are derived here, in `settings`, and nowhere else:
// tests/infra compares them with rollout/settings.py and function_app.py.
param location string
param tags object
param suffix string
param installation string
param workspaceId string
param identityId string
param identityClientId string
param storageName string
param packageContainerUrl string
param serviceBusHost string
param stepsQueue string
param eventsQueue string
param telemetryConnection string
param apiTokenUri string
param keyVaultUri string
param apiAudiences string
param instanceMemoryMB int

var settings = {
  // What the controller itself reads.
  ROLLOUT_API_TOKEN: '@Microsoft.KeyVault(SecretUri=${apiTokenUri})'
  ROLLOUT_ENTRA_TENANT: subscription().tenantId
  ROLLOUT_ENTRA_AUDIENCE: apiAudiences
  ROLLOUT_WORKSPACES: workspaceId
  ROLLOUT_INSTALLATION: installation
  ROLLOUT_IDENTITY: 'managed'
  ROLLOUT_CLIENT_ID: identityClientId
  ROLLOUT_SERVICE_BUS: serviceBusHost
  ROLLOUT_STORAGE: storageName
  ROLLOUT_KEY_VAULT: keyVaultUri
  // What the bindings of function_app.py name.
  STEPS_QUEUE: stepsQueue
  EVENTS_QUEUE: eventsQueue
  SERVICEBUS__fullyQualifiedNamespace: serviceBusHost
  SERVICEBUS__credential: 'managedidentity'
  SERVICEBUS__clientId: identityClientId
  // What the host reads.
  AzureWebJobsStorage__accountName: storageName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: telemetryConnection
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-rollout-${suffix}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-rollout-${suffix}'
  location: location
  tags: union(tags, { 'azd-service-name': 'controller' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    siteConfig: {
      minTlsVersion: '1.2'
      ftpsState: 'Disabled'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: 40
        // Without it the first step after a silence waits for up to two minutes.
        alwaysReady: [{ name: 'function:step', instanceCount: 1 }]
      }
    }
  }
}

resource appSettings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: settings
}

// Whoever deploys does so by their own name; no user name and password open the door.
resource publishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = [
  for door in ['scm', 'ftp']: {
    parent: app
    name: door
    properties: { allow: false }
  }
]

output host string = app.properties.defaultHostName
