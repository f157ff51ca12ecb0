// The two queues. Sessions and duplicate detection cannot be changed once a queue is there.
param location string
param tags object
param suffix string
param stepsQueue string
param eventsQueue string
param controllerPrincipalId string
param senderPrincipalId string

var busOwnerRoleId = '090c5cfd-751d-490a-894a-3ce6f1109419'
var busSenderRoleId = '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: 'sb-rollout-${suffix}'
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard' }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource steps 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: stepsQueue
  properties: {
    requiresSession: true
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT1H'
    lockDuration: 'PT1M'
    maxDeliveryCount: 10
    deadLetteringOnMessageExpiration: true
  }
}

resource events 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: eventsQueue
  properties: {
    requiresSession: false
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT1H'
    lockDuration: 'PT1M'
    maxDeliveryCount: 10
    deadLetteringOnMessageExpiration: true
  }
}

// The namespace holds these two queues and nothing else. Without leave to manage it, the platform
// cannot read how long a queue is, and adds instances one at a time.
resource mayOwn 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(namespace.id, controllerPrincipalId, busOwnerRoleId)
  scope: namespace
  properties: {
    principalId: controllerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', busOwnerRoleId)
  }
}

resource maySend 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(events.id, senderPrincipalId, busSenderRoleId)
  scope: events
  properties: {
    principalId: senderPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', busSenderRoleId)
  }
}

output id string = namespace.id
output host string = '${namespace.name}.servicebus.windows.net'
output eventsQueueId string = events.id
